"""What a person writes in a monitor file, compiled into the specification that everyone reads."""
