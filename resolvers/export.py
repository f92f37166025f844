"""Exports of one's own data: asking for one, and where it is."""

from schema.context import Info
from schema.error import user_errors
from schema.export import DataExport, DataExportPayload
from services.core.error import Refusal


async def request_data_export(info: Info) -> DataExportPayload:
    exports = info.context.services.exports
    try:
        row = await exports.request(info.context.require_viewer().id)
    except Refusal as refusal:
        return DataExportPayload(data_export=None, errors=user_errors(refusal, info.context))
    link = await exports.link(row)
    shown = DataExport(url=link.url if link else None, expires_at=row.expires_at)
    return DataExportPayload(data_export=shown, errors=[])
