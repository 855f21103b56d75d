"""What training refuses."""

from genbook.errors import ForeseenError


class TrainingError(ForeseenError, ValueError):
    """Settings without meaning, data that do not fit them, too little memory, or a checkpoint of something else."""
