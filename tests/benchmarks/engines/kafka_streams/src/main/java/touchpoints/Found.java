package touchpoints;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** What is kept of an open session. A window knows its start and end itself. */
record Found(String id, String channel, int count, long start, long end) {

  static final Found NONE = new Found("", "", 0, 0, 0);

  static final Serde<Found> SERDE =
      Serdes.serdeFrom(
          (topic, found) -> found == null ? null : found.written(),
          (topic, bytes) -> bytes == null ? null : read(bytes));

  Found with(Touchpoint one) {
    return count == 0
        ? new Found(one.id(), one.channel(), 1, start, end)
        : new Found(id, channel, count + 1, start, end);
  }

  Found with(Found later) {
    return count == 0 ? later : new Found(id, channel, count + later.count, start, end);
  }

  Found at(long time) {
    return new Found(id, channel, count, time, time);
  }

  Found until(long time) {
    return new Found(id, channel, count, start, time);
  }

  private byte[] written() {
    byte[] opener = id.getBytes(StandardCharsets.UTF_8);
    byte[] road = channel.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(24 + opener.length + road.length)
        .putInt(count)
        .putLong(start)
        .putLong(end)
        .putInt(opener.length)
        .put(opener)
        .put(road)
        .array();
  }

  private static Found read(byte[] bytes) {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    int count = in.getInt();
    long start = in.getLong();
    long end = in.getLong();
    int length = in.getInt();
    int road = 24 + length;
    return new Found(
        new String(bytes, 24, length, StandardCharsets.UTF_8),
        new String(bytes, road, bytes.length - road, StandardCharsets.UTF_8),
        count,
        start,
        end);
  }
}
