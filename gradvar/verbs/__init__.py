"""The functions that users call: each verb validates its arguments, asks one method and hands back a result."""
