package touchpoints;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** What is kept of an open session beside its window. */
record Found(String id, String channel, int count) {

  static final Found NONE = new Found("", "", 0);

  static final Serde<Found> SERDE =
      Serdes.serdeFrom(
          (topic, found) -> found == null ? null : found.written(),
          (topic, bytes) -> bytes == null ? null : read(bytes));

  Found with(Touchpoint one) {
    return count == 0
        ? new Found(one.id(), one.channel(), 1)
        : new Found(id, channel, count + 1);
  }

  Found with(Found later) {
    if (count == 0) {
      return later;
    }
    return new Found(id, channel, count + later.count);
  }

  private byte[] written() {
    byte[] opener = id.getBytes(StandardCharsets.UTF_8);
    byte[] road = channel.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + opener.length + road.length)
        .putInt(count)
        .putInt(opener.length)
        .put(opener)
        .put(road)
        .array();
  }

  private static Found read(byte[] bytes) {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    int count = in.getInt();
    int length = in.getInt();
    String id = new String(bytes, 8, length, StandardCharsets.UTF_8);
    String road = new String(bytes, 8 + length, bytes.length - 8 - length, StandardCharsets.UTF_8);
    return new Found(id, road, count);
  }
}
