"""The columns of each answer. JSON in, DataFrame out; nothing here talks to an engine."""
