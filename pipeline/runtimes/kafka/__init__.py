"""Faust workers on Kafka: any number of them, each with some partitions of every stage."""
