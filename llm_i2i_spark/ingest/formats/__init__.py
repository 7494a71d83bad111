"""How raw tables are written: a form of files a module, each with `sniff` and `read`.

`sniff` looks at the first bytes alone, without Spark, and says why it takes them for what; `read`
gives a Spark frame of text columns.
"""
