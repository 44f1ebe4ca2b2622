"""Tables: the columns of each response. JSON in, DataFrame out; nothing here sends requests to an engine."""
