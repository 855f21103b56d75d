"""The common root of all foreseen errors."""


class ForeseenError(Exception):
    """Something asked wrongly or refused by the system; the message says what was wrong and what would be right.

    The command line prints the message without a traceback and ends with ``status``.
    """

    status = 1


class TrainingError(ForeseenError, ValueError):
    """Settings without meaning, data that do not fit them, too little memory, or a checkpoint of something else."""
