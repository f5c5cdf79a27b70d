package touchpoints;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Materialized.StoreType;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.SessionStore;

/** Sessions with a gap of 30 minutes, published once each, when their window closes. */
public final class Sessions {

  private static final String TICK = "tick-";

  /**
   * Windows are emitted once a second by the wall clock. While a backlog is read that is hours of
   * event time, and with the default, the gap, the store has forgotten them by then.
   */
  private static final Duration RETENTION = Duration.ofDays(1);

  public static void main(String[] arguments) throws InterruptedException {
    Map<String, String> job = new HashMap<>();
    for (String one : arguments) {
      String[] parts = one.substring(2).split("=", 2);
      job.put(parts[0], parts[1]);
    }
    KafkaStreams streams = new KafkaStreams(topology(job).build(), settings(job));
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          Runtime.getRuntime().halt(1);
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(5))));
    streams.start();
    new CountDownLatch(1).await();
  }

  private static Properties settings(Map<String, String> job) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, job.get("application"));
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, job.get("bootstrap-servers"));
    settings.put(StreamsConfig.STATE_DIR_CONFIG, job.get("folder"));
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    if (job.get("variant").endsWith("exactly-once")) {
      settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    }
    return settings;
  }

  private static StreamsBuilder topology(Map<String, String> job) {
    long count = Long.parseLong(job.get("count"));
    StoreType store =
        job.get("variant").startsWith("memory") ? StoreType.IN_MEMORY : StoreType.ROCKS_DB;
    Serde<Touchpoint> touchpoints =
        Serdes.serdeFrom(
            (topic, one) -> {
              throw new UnsupportedOperationException();
            },
            (topic, value) -> Touchpoint.read(value));
    AtomicLong seen = new AtomicLong();
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(job.get("input"), Consumed.with(Serdes.String(), touchpoints))
        .peek((customer, one) -> progress(customer, seen, count))
        .groupByKey()
        .windowedBy(SessionWindows.ofInactivityGapWithNoGrace(Duration.ofMinutes(30)))
        .emitStrategy(EmitStrategy.onWindowClose())
        .aggregate(
            () -> Found.NONE,
            (customer, one, found) -> found.with(one),
            (customer, earlier, later) -> earlier.with(later),
            Materialized.<String, Found, SessionStore<Bytes, byte[]>>as(store)
                .withRetention(RETENTION)
                .withKeySerde(Serdes.String())
                .withValueSerde(Found.SERDE))
        .toStream()
        .filter((window, found) -> found != null)
        .map((window, found) -> KeyValue.pair(found.id(), record(window, found)))
        .to(job.get("output"), Produced.with(Serdes.String(), Serdes.String()));
    return builder;
  }

  private static void progress(String customer, AtomicLong seen, long count) {
    if (customer.startsWith(TICK)) {
      return;
    }
    long now = seen.incrementAndGet();
    if (now == count / 2) {
      System.out.println("half");
    }
    if (now == count) {
      System.out.println("consumed");
    }
  }

  /** No text in it needs escaping. */
  private static String record(Windowed<String> window, Found found) {
    return "{\"session_id\":\""
        + found.id()
        + "\",\"revision\":1,\"state\":\"closed\",\"customer\":\""
        + window.key()
        + "\",\"channel\":\""
        + found.channel()
        + "\",\"started_at\":\""
        + window.window().startTime()
        + "\",\"ended_at\":\""
        + window.window().endTime()
        + "\",\"count\":"
        + found.count()
        + ",\"microjourney\":[],\"verdicts\":{}}";
  }
}
