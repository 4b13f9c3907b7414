"""Steps from one form of the database to the next; each is a script that a person can read."""
