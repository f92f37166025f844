"""Builds the services of the media group."""

from dataclasses import dataclass

from models import File
from services.core.chore import Chore, Lane, chore_for_each
from services.core.wiring import Core
from services.integrations.images.sanitizer import ImageSanitizer
from services.integrations.storage.protocol import Storage
from services.media.file import FileService, UploadLimits
from services.media.picture_check import PictureChecks
from services.media.quota import UNLIMITED, StorageQuota
from services.media.upload import UploadService

_REMOVALS = 4  # files of which a process removes the objects at once: with thumbnails, up to 20 requests to a bucket


@dataclass(frozen=True)
class Media:
    """Services for files, pictures, uploads and the storage quota."""

    files: FileService
    pictures: PictureChecks
    uploads: UploadService
    orphan_seconds: float  # after which a PENDING file is removed
    quota: StorageQuota = UNLIMITED

    @property
    def chores(self) -> tuple[Chore, ...]:
        return (
            # A large gallery that was deleted is more than one batch, and should not wait for the next sweep.
            chore_for_each(
                "file",
                Lane.CLEAN_UP,
                self._find_removable,
                self.files.remove,
                until_empty=True,
                at_once=_REMOVALS,
                release=self.files.release,
            ),
            chore_for_each("upload", Lane.CLEAN_UP, self.uploads.expired, self.uploads.remove),
        )

    async def _find_removable(self, limit: int) -> list[File]:
        return await self.files.find_removable(limit, self.orphan_seconds)


def build_media(
    core: Core,
    storage: Storage,
    sanitizer: ImageSanitizer,
    limits: UploadLimits,
    quota: StorageQuota,
    *,
    upload_seconds: int,
    orphan_seconds: float,
    claim_seconds: float,
) -> Media:
    """Build the group. `sanitizer`: of uploads. `upload_seconds`: how long an upload can be used.

    `claim_seconds`: as of FileService.
    """
    files = FileService(storage, sanitizer, limits, quota, claim_seconds)
    uploads = UploadService(storage, limits, upload_seconds, quota)
    return Media(
        files=files,
        pictures=PictureChecks(files, uploads, core.rates),
        uploads=uploads,
        quota=quota,
        orphan_seconds=orphan_seconds,
    )
