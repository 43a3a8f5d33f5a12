"""Hearing the proof of a consent. Mounted under `/api/v1`; who may ask is checked outside."""

import asyncio

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from crm_bridge.privacy.tables import Consent
from recordings.clip import NoClip, cut
from recordings.routes import file_of, note, reading

router = APIRouter(tags=["privacy"])


@router.get(
    "/consents/{consent}/clip",
    response_class=Response,
    responses={
        200: {"content": {"audio/wav": {}}, "description": "The clip as a stereo WAV file; left is the caller."},
        404: {"description": "There is no such consent, or no recording of it."},
        409: {"description": "The call is still being recorded."},
    },
)
async def get_clip(request: Request, consent: str) -> Response:
    """Hear how somebody agreed or refused. Every hearing is written into the audit log."""
    async with reading(request) as session:
        row = await session.get(Consent, consent)
    if row is None:
        raise HTTPException(404, "There is no such consent.")
    if row.recording_id is None or row.clip_from is None or row.clip_until is None:
        raise HTTPException(404, "This consent has no clip of a recording.")
    path = await file_of(request, row.recording_id)
    try:
        clip = await asyncio.to_thread(cut, path, row.clip_from, row.clip_until)
    except NoClip as error:
        raise HTTPException(404, f"The clip cannot be cut: {error}") from error
    await note(request, "consent.heard", consent)
    return Response(clip, media_type="audio/wav", headers={"Content-Disposition": f'inline; filename="{consent}.wav"'})
