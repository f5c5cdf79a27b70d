package touchpoints;

import java.time.Duration;
import java.util.PriorityQueue;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Sessions without session windows: a processor with a key-value store and deadlines of its own.
 *
 * <p>What one would write by hand where the windows cost too much. The deadlines are not made anew
 * after a restart, which a real one would have to do.
 */
final class Cutting implements Processor<String, Touchpoint, String, String> {

  static final String STORE = "open";
  private static final long GAP = Duration.ofMinutes(30).toMillis();

  private record Due(long at, String customer) {}

  private final PriorityQueue<Due> due =
      new PriorityQueue<>((one, other) -> Long.compare(one.at, other.at));
  private ProcessorContext<String, String> context;
  private KeyValueStore<String, Found> open;

  @Override
  public void init(ProcessorContext<String, String> given) {
    context = given;
    open = given.getStateStore(STORE);
  }

  @Override
  public void process(Record<String, Touchpoint> record) {
    long at = record.timestamp();
    while (!due.isEmpty() && due.peek().at < at) {
      closeIfDue(due.poll().customer, at);
    }
    Found found = open.get(record.key());
    if (found == null) {
      found = Found.NONE.at(at);
      due.add(new Due(at + GAP, record.key()));
    }
    open.put(record.key(), found.with(record.value()).until(at));
  }

  private void closeIfDue(String customer, long now) {
    Found found = open.get(customer);
    if (found.end() + GAP >= now) {
      due.add(new Due(found.end() + GAP, customer));
      return;
    }
    open.delete(customer);
    String value = Sessions.record(customer, found.start(), found.end(), found);
    context.forward(new Record<>(found.id(), value, found.end()));
  }
}
