"""The runtime on Kafka: many processes, which divide the partitions among them."""
