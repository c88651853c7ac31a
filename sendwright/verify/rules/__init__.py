"""The rules that ``verify`` checks, a file a group: names, sentences, references; how to judge lies beside."""
