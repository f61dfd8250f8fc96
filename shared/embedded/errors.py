"""What stops the laptop's servers from starting or staying up."""


class EmbeddedError(Exception):
    """Its message is one clear sentence for the person at the terminal, saying what to do where something helps."""
