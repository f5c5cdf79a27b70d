package touchpoints;

import java.time.Duration;
import java.time.Instant;
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
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Materialized.StoreType;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.Window;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.Stores;

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
    String variant = job.get("variant");
    Serde<Touchpoint> touchpoints =
        Serdes.serdeFrom(
            (topic, one) -> {
              throw new UnsupportedOperationException();
            },
            (topic, value) -> Touchpoint.read(value));
    AtomicLong seen = new AtomicLong();
    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, Touchpoint> read =
        builder.stream(job.get("input"), Consumed.with(Serdes.String(), touchpoints))
            .peek((customer, one) -> progress(customer, seen, count));
    KStream<String, String> closed =
        variant.startsWith("processor")
            ? processed(builder, read)
            : windowed(read, variant.startsWith("memory"));
    closed.to(job.get("output"), Produced.with(Serdes.String(), Serdes.String()));
    return builder;
  }

  private static KStream<String, String> windowed(
      KStream<String, Touchpoint> read, boolean inMemory) {
    return read.groupByKey()
        .windowedBy(SessionWindows.ofInactivityGapWithNoGrace(Duration.ofMinutes(30)))
        .emitStrategy(EmitStrategy.onWindowClose())
        .aggregate(
            () -> Found.NONE,
            (customer, one, found) -> found.with(one),
            (customer, earlier, later) -> earlier.with(later),
            Materialized.<String, Found, SessionStore<Bytes, byte[]>>as(
                    inMemory ? StoreType.IN_MEMORY : StoreType.ROCKS_DB)
                .withRetention(RETENTION)
                .withKeySerde(Serdes.String())
                .withValueSerde(Found.SERDE))
        .toStream()
        .filter((key, found) -> found != null)
        .map(
            (key, found) -> {
              Window window = key.window();
              return KeyValue.pair(
                  found.id(), record(key.key(), window.start(), window.end(), found));
            });
  }

  private static KStream<String, String> processed(
      StreamsBuilder builder, KStream<String, Touchpoint> read) {
    builder.addStateStore(
        Stores.keyValueStoreBuilder(
                Stores.inMemoryKeyValueStore(Cutting.STORE), Serdes.String(), Found.SERDE)
            .withCachingEnabled());
    return read.process(Cutting::new, Cutting.STORE);
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
  static String record(String customer, long start, long end, Found found) {
    return "{\"session_id\":\""
        + found.id()
        + "\",\"revision\":1,\"state\":\"closed\",\"customer\":\""
        + customer
        + "\",\"channel\":\""
        + found.channel()
        + "\",\"started_at\":\""
        + Instant.ofEpochMilli(start)
        + "\",\"ended_at\":\""
        + Instant.ofEpochMilli(end)
        + "\",\"count\":"
        + found.count()
        + ",\"microjourney\":[],\"verdicts\":{}}";
  }
}
