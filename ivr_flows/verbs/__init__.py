"""The verbs of the flow language, read: by what they have to do with."""
