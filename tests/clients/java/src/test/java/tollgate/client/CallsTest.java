package tollgate.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.rpc.QuotaFailure;
import io.grpc.Context;
import io.grpc.Status;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import tollgate.v1.Completion.CompletionSpec;
import tollgate.v1.Completion.Complexity;
import tollgate.v1.Completion.Message;
import tollgate.v1.Completion.Part;
import tollgate.v1.Completion.Role;

/** The Java caller against a real gateway, in front of a simulated provider. */
class CallsTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(20);

  private Tollgate client;

  private Tollgate client(String key) {
    client = new Tollgate(System.getenv("TOLLGATE_ADDRESS"), System.getenv(key));
    return client;
  }

  @AfterEach
  void close() {
    client.close();
  }

  private static CompletionSpec.Builder spec(String text) {
    return CompletionSpec.newBuilder()
        .setComplexity(Complexity.COMPLEXITY_SIMPLE)
        .addMessages(
            Message.newBuilder()
                .setRole(Role.ROLE_USER)
                .addParts(Part.newBuilder().setText(text)))
        .setMaxOutputTokens(100);
  }

  private CallFailed refused(CompletionSpec.Builder asked) {
    return assertThrows(CallFailed.class, () -> client.complete(asked.build(), TIMEOUT));
  }

  private static List<String> subjects(CallFailed failed) {
    return failed.violations().stream().map(QuotaFailure.Violation::getSubject).toList();
  }

  /** How many requests with this text the simulated provider got. */
  private static int timesSeen(String text) throws Exception {
    var url = URI.create(System.getenv("SIMULATOR_URL") + "/simulator/faults");
    var request = HttpRequest.newBuilder(url).timeout(TIMEOUT).build();
    var rules = HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body();
    var rule = Pattern.compile("\"matched\":(\\d+),\"rule\":\"[^}]*" + text).matcher(rules);
    assertTrue(rule.find(), rules);
    return Integer.parseInt(rule.group(1));
  }

  @Test
  void successHasAReceipt() {
    var answer = client("TOLLGATE_API_KEY").complete(spec("Name three rivers.").build(), TIMEOUT);
    assertFalse(answer.getMessage().getParts(0).getText().isEmpty());
    var receipt = answer.getReceipt();
    assertEquals("gpt-3.5-turbo", receipt.getModel());
    long in = receipt.getUsage().getInputTokens();
    long out = receipt.getUsage().getOutputTokens();
    assertTrue(in > 0 && out > 0);
    // $0.50 and $1.50 per million tokens are 500 and 1,500 nano-dollars a token.
    assertEquals(in * 500 + out * 1500, receipt.getCostNanoUsd());
  }

  @Test
  void rateLimitSaysWhenToComeBack() {
    client("HASTY_API_KEY").complete(spec("Name three rivers.").build(), TIMEOUT);
    var failed = refused(spec("Name three rivers."));
    assertEquals(Status.Code.RESOURCE_EXHAUSTED, failed.code());
    assertEquals("RATE_LIMITED", failed.reason());
    assertTrue(failed.retryAfter().orElseThrow().toMillis() > 1000);
    assertEquals(List.of("requests_per_minute"), subjects(failed));
  }

  @Test
  void budgetRefusalSaysWhenItResets() {
    client("BROKE_API_KEY");
    var failed = refused(spec("Name three rivers."));
    assertEquals(Status.Code.RESOURCE_EXHAUSTED, failed.code());
    assertEquals("BUDGET_EXHAUSTED", failed.reason());
    assertEquals(Optional.empty(), failed.retryAfter());
    assertEquals(List.of("budget:day"), subjects(failed));
    assertTrue(failed.metadata().containsKey("resetTime"));
  }

  @Test
  void unknownModelIsNotFound() {
    client("TOLLGATE_API_KEY");
    var failed = refused(spec("Name three rivers.").setModel("gpt-99"));
    assertEquals(Status.Code.NOT_FOUND, failed.code());
    assertEquals("UNKNOWN_MODEL", failed.reason());
    assertEquals(Optional.empty(), failed.retryAfter());
  }

  @Test
  void cancelledCallIsReleased() throws Exception {
    client("TOLLGATE_API_KEY");
    var context = Context.current().withCancellation();
    var caller = Executors.newSingleThreadExecutor();
    var failed = caller.submit(context.wrap(() -> refused(spec("answer_never"))));
    for (int tries = 0; timesSeen("answer_never") == 0 && tries < 200; tries++) {
      TimeUnit.MILLISECONDS.sleep(50);
    }
    context.cancel(null);
    assertEquals(Status.Code.CANCELLED, failed.get(20, TimeUnit.SECONDS).code());
    caller.shutdown();
    assertEquals(1, timesSeen("answer_never"));
    // The team may run one call at a time, so this one had to wait for the cancelled one's end.
    var receipt = client.complete(spec("Name three rivers.").build(), TIMEOUT).getReceipt();
    var day = receipt.getBudgetsList().stream().filter(b -> b.getName().equals("day")).findFirst();
    assertEquals(receipt.getHeldNanoUsd(), day.orElseThrow().getHeldNanoUsd());
  }

  @Test
  void unavailableIsRetried() throws Exception {
    var answer = client("TOLLGATE_API_KEY").complete(spec("fail_once").build(), TIMEOUT);
    assertEquals(2, timesSeen("fail_once"));
    // One attempt in this call: it was the client that called again.
    assertEquals(1, answer.getReceipt().getAttemptsCount());
  }
}
