"""The nouns: the records that cross a topic, the topic catalogue, and what emitters may write."""
