"""Messages to users about the stage of a generation, and about its failure."""

from models.enum import ErrorCode, GenerationStage
from services.core.message import Message, message

_STAGES = {
    GenerationStage.QUEUED: message("Waiting for a free worker."),
    GenerationStage.VALIDATING: message("Checking the request."),
    GenerationStage.GENERATING: message("Generating your picture."),
    GenerationStage.STORING: message("Storing your picture."),
    GenerationStage.COMPLETED: message("Your picture is ready."),
    GenerationStage.FAILED: message("The generation failed."),
    GenerationStage.CANCELED: message("Canceled."),
}

_INTERNAL = message("Something went wrong on our side. Please try again later.")
_FAILURES = {
    ErrorCode.GENERATION_FAILED: message("The image service returned no usable picture. Please try again."),
    ErrorCode.GENERATION_TIMEOUT: message("The image service took too long. Please try again."),
    ErrorCode.CONTENT_REJECTED: message("The image service declined this request. Try another photo or description."),
    ErrorCode.PROVIDER_UNAVAILABLE: message("The image service is not available right now. Please try again later."),
    ErrorCode.PROVIDER_MISCONFIGURED: message("The image service is not set up correctly. We have been notified."),
    ErrorCode.UNAVAILABLE: _INTERNAL,
}


def stage_message(stage: GenerationStage) -> Message:
    """Return the message of a stage."""
    return _STAGES[stage]


def error_message(code: ErrorCode) -> Message:
    """Return why a generation failed, without any text from the provider."""
    return _FAILURES.get(code, _INTERNAL)
