"""What a person is told while a generation is under way, and when it failed."""

from models.enum import ErrorCode, GenerationStage
from services.core.message import Message, message

_STAGES = {
    GenerationStage.QUEUED: message("Waiting for a free worker."),
    GenerationStage.VALIDATING: message("Checking the request."),
    GenerationStage.GENERATING: message("Developing your picture."),
    GenerationStage.STORING: message("Putting the picture away safely."),
    GenerationStage.COMPLETED: message("Your picture is ready."),
    GenerationStage.FAILED: message("This did not work."),
    GenerationStage.CANCELED: message("Canceled."),
}

_OURS = message("Something went wrong on our side. Please try again later.")
_FAILURES = {
    ErrorCode.GENERATION_FAILED: message("The image service returned no usable picture. Please try again."),
    ErrorCode.GENERATION_TIMEOUT: message("The image service took too long. Please try again."),
    ErrorCode.CONTENT_REJECTED: message("The image service declined this request. Try another photo or description."),
    ErrorCode.PROVIDER_UNAVAILABLE: message("The image service is not available right now. Please try again later."),
    ErrorCode.PROVIDER_MISCONFIGURED: message("The image service is not set up correctly. We have been told."),
    ErrorCode.UNAVAILABLE: _OURS,
}


def stage_message(stage: GenerationStage) -> Message:
    """What is happening."""
    return _STAGES[stage]


def error_message(code: ErrorCode) -> Message:
    """Why a generation failed, with nothing of what the provider said."""
    return _FAILURES.get(code, _OURS)
