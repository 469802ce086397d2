package tollgate.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.QuotaFailure;
import com.google.rpc.RetryInfo;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A call that was not answered. Act on code and reason, never on the message. */
public final class CallFailed extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final Status.Code code;
  private transient ErrorInfo info = ErrorInfo.getDefaultInstance();
  private transient QuotaFailure quota = QuotaFailure.getDefaultInstance();
  private Duration retryAfter;

  CallFailed(StatusRuntimeException cause) {
    super(cause.getMessage(), cause);
    code = cause.getStatus().getCode();
    var status = StatusProto.fromThrowable(cause);
    List<Any> details = status == null ? List.of() : status.getDetailsList();
    try {
      for (Any detail : details) {
        if (detail.is(ErrorInfo.class)) {
          info = detail.unpack(ErrorInfo.class);
        } else if (detail.is(QuotaFailure.class)) {
          quota = detail.unpack(QuotaFailure.class);
        } else if (detail.is(RetryInfo.class)) {
          var delay = detail.unpack(RetryInfo.class).getRetryDelay();
          retryAfter = Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
        }
      }
    } catch (InvalidProtocolBufferException unreadable) {
      addSuppressed(unreadable);
    }
  }

  /** The gRPC code. */
  public Status.Code code() {
    return code;
  }

  /** One of docs/errors.md, such as "RATE_LIMITED"; empty: not the gateway's. */
  public String reason() {
    return info.getReason();
  }

  /** What the gateway adds, such as "resetTime". */
  public Map<String, String> metadata() {
    return info.getMetadataMap();
  }

  /** How long to wait; empty: waiting does not help. */
  public Optional<Duration> retryAfter() {
    return Optional.ofNullable(retryAfter);
  }

  /** The limits and budgets that refused. */
  public List<QuotaFailure.Violation> violations() {
    return quota.getViolationsList();
  }
}
