"""bcrypt in processes of its own, for when many passwords are to be hashed at once."""
