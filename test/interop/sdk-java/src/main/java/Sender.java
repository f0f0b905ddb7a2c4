import io.opentelemetry.api.logs.Logger;
import io.opentelemetry.api.metrics.LongCounter;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import io.opentelemetry.sdk.common.CompletableResultCode;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A program that makes telemetry. Where it goes, and how, is in OpenTelemetry's variables alone.
 *
 * <p>Sender &lt;name&gt; &lt;count&gt; &lt;pause in ms&gt;
 */
public final class Sender {
  public static void main(String[] args) throws InterruptedException {
    String name = args[0];
    int count = Integer.parseInt(args[1]);
    long pauseMs = Long.parseLong(args[2]);

    OpenTelemetrySdk sdk = AutoConfiguredOpenTelemetrySdk.initialize().getOpenTelemetrySdk();
    Tracer tracer = sdk.getTracer("interop");
    Logger logger = sdk.getLogsBridge().get("interop");
    LongCounter counter = sdk.getMeter("interop").counterBuilder(name + ".total").build();

    System.out.println("begun");
    for (int i = 0; i < count; i++) {
      String item = name + "-" + i;
      tracer.spanBuilder(item).startSpan().end();
      logger.logRecordBuilder().setBody(item).emit();
      counter.add(1);
      Thread.sleep(pauseMs);
    }

    CompletableResultCode sent = CompletableResultCode.ofAll(List.of(
        sdk.getSdkTracerProvider().forceFlush(),
        sdk.getSdkLoggerProvider().forceFlush(),
        sdk.getSdkMeterProvider().forceFlush()));
    if (!sent.join(1, TimeUnit.MINUTES).isSuccess()) System.err.println("the last export failed");
    sdk.shutdown().join(1, TimeUnit.MINUTES);
  }
}
