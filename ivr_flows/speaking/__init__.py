"""Values as people say them, in Vietnamese and English: numbers, amounts, days, times, telephone numbers, durations.

Pure: what is relative to the present takes it as an argument. A value that cannot be read raises `Unreadable`, whose
text never quotes it.
"""
