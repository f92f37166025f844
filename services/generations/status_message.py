"""Messages to users about the stage of a generation, and about its failure."""

from models.enum import ErrorCode, GenerationStage, MediaKind
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

_VIDEO_STAGES = {
    GenerationStage.GENERATING: message("Generating your video. This takes some minutes."),
    GenerationStage.STORING: message("Storing your video."),
    GenerationStage.COMPLETED: message("Your video is ready."),
}

_LOADING = message("The image service is loading the model. This can take a minute.")

_PAUSED = message("The image service does not accept our requests at the moment. Your order waits and will be made.")

_INTERNAL = message("Something went wrong on our side. Please try again later.")
_NO_VIDEO = message("The image service returned no usable video. Please try again.")
# The codes with which a generation can fail, but for a bug.
FAILURES = {
    ErrorCode.GENERATION_FAILED: message("The image service returned no usable picture. Please try again."),
    ErrorCode.GENERATION_TIMEOUT: message("The image service took too long. Please try again."),
    ErrorCode.CONTENT_REJECTED: message("The image service declined this request. Try another photo or description."),
    ErrorCode.PROVIDER_UNAVAILABLE: message("The image service is not available right now. Please try again later."),
    ErrorCode.RATE_LIMITED: message("The image service has reached its limit of requests. Please try again later."),
    ErrorCode.PROVIDER_MISCONFIGURED: message("The image service is not set up correctly. We have been notified."),
    ErrorCode.UNAVAILABLE: _INTERNAL,
}


def stage_message(
    stage: GenerationStage, media: MediaKind, *, is_loading: bool = False, is_paused: bool = False
) -> Message:
    """Return the message of a stage. `is_loading`: the provider loads the model; `is_paused`: is not called."""
    if is_paused:
        return _PAUSED
    if is_loading and stage is GenerationStage.GENERATING:
        return _LOADING
    return _VIDEO_STAGES.get(stage, _STAGES[stage]) if media is MediaKind.VIDEO else _STAGES[stage]


def error_message(code: ErrorCode, media: MediaKind) -> Message:
    """Return why a generation failed, without any text from the provider."""
    if media is MediaKind.VIDEO and code is ErrorCode.GENERATION_FAILED:
        return _NO_VIDEO
    return FAILURES.get(code, _INTERNAL)
