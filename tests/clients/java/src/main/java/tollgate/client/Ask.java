package tollgate.client;

import java.time.Duration;
import java.util.UUID;
import tollgate.v1.Completion.Complexity;
import tollgate.v1.Completion.CompletionSpec;
import tollgate.v1.Completion.Message;
import tollgate.v1.Completion.Part;
import tollgate.v1.Completion.Role;

/** Asks one question: mvn compile exec:java -Dexec.args="'Name three rivers.'" */
public final class Ask {
  private Ask() {}

  public static void main(String[] arguments) {
    var question = Part.newBuilder().setText(arguments[0]);
    var spec =
        CompletionSpec.newBuilder()
            .setComplexity(Complexity.COMPLEXITY_SIMPLE)
            .addMessages(Message.newBuilder().setRole(Role.ROLE_USER).addParts(question))
            .setMaxOutputTokens(100)
            // With a key a retry never pays twice, whatever the connection does.
            .setIdempotencyKey(UUID.randomUUID().toString())
            .build();
    try (var tollgate = Tollgate.fromEnvironment()) {
      var answer = tollgate.complete(spec, Duration.ofSeconds(30));
      answer.getMessage().getPartsList().forEach(part -> System.out.print(part.getText()));
      var receipt = answer.getReceipt();
      System.out.printf(
          "%n%s: %d tokens in, %d out, %d nano-dollars%n",
          receipt.getModel(),
          receipt.getUsage().getInputTokens(),
          receipt.getUsage().getOutputTokens(),
          receipt.getCostNanoUsd());
    } catch (CallFailed failed) {
      System.err.println(failed.reason() + ": " + failed.getMessage());
      failed.retryAfter().ifPresent(wait -> System.err.println("RetryInfo: " + wait));
      System.exit(1);
    }
  }
}
