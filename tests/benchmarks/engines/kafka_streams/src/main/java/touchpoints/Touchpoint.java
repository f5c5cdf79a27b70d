package touchpoints;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A touchpoint, read by Jackson's streaming parser. Times stay text and properties are skipped. */
record Touchpoint(
    String id,
    String source,
    String channel,
    String name,
    String occurredAt,
    String receivedAt,
    String location,
    Map<String, String> identifiers,
    List<String> signals) {

  private static final JsonFactory JSON = new JsonFactory();

  static Touchpoint read(byte[] value) {
    String id = null, source = null, channel = null, name = null, location = null;
    String occurredAt = null, receivedAt = null;
    Map<String, String> identifiers = new HashMap<>();
    List<String> signals = List.of();
    try (JsonParser in = JSON.createParser(value)) {
      in.nextToken();
      for (String field = in.nextFieldName(); field != null; field = in.nextFieldName()) {
        in.nextToken();
        switch (field) {
          case "id" -> id = in.getText();
          case "source" -> source = in.getText();
          case "channel" -> channel = in.getText();
          case "name" -> name = in.getText();
          case "occurred_at" -> occurredAt = in.getText();
          case "received_at" -> receivedAt = in.getText();
          case "location" -> location = in.getText();
          case "identifiers" -> {
            for (String type = in.nextFieldName(); type != null; type = in.nextFieldName()) {
              identifiers.put(type, in.nextTextValue());
            }
          }
          case "signals" -> {
            signals = new ArrayList<>();
            while (in.nextToken() != JsonToken.END_ARRAY) {
              signals.add(in.getText());
            }
          }
          default -> in.skipChildren();
        }
      }
    } catch (IOException error) {
      throw new IllegalArgumentException(error);
    }
    return new Touchpoint(
        id, source, channel, name, occurredAt, receivedAt, location, identifiers, signals);
  }
}
