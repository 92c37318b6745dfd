"""A phone's questions and decisions about who may see its diary."""

from uuid import UUID

from fastapi import APIRouter, Request

from backend.accounts.permissions import CallingDevice
from backend.core.clock import Now
from backend.core.database import DatabaseSession
from backend.patients.schemas import ConsentOut
from backend.patients.service import consents
from backend.research.ledger import UsesOut, uses
from backend.sharing import service
from backend.sharing.schemas import (
    AccessesOut,
    CarerCodeOut,
    ConsentIn,
    ConsentsOut,
    LinkIn,
    LinksOut,
    NewLinkOut,
    PhonesOut,
)

router = APIRouter(prefix="/v1/patient", tags=["phone"])


@router.post("/consents")
def decide(body: ConsentIn, caller: CallingDevice, session: DatabaseSession, now: Now) -> ConsentsOut:
    """Give or withdraw one consent; the answer is where all of them stand now."""
    patient = service.decide(session, caller, body, now=now)
    return ConsentsOut(
        consents=[ConsentOut.model_validate(one, from_attributes=True) for one in consents(session, patient.id)]
    )


@router.get("/accesses")
def accesses(caller: CallingDevice, session: DatabaseSession, now: Now) -> AccessesOut:
    """Who opened this patient's data, from the audit trail of the last year."""
    patient = service.own_patient(session, caller)
    return AccessesOut(accesses=service.accesses(session, patient, now=now))


@router.get("/research")
def research(caller: CallingDevice, session: DatabaseSession) -> UsesOut:
    """Which studies, exports and rounds used this patient's data, when, and for which consented purpose."""
    return uses(session, service.own_patient(session, caller))


@router.get("/links")
def links(caller: CallingDevice, session: DatabaseSession, now: Now) -> LinksOut:
    patient = service.own_patient(session, caller)
    return LinksOut(links=service.open_links(session, patient.id, now=now))


@router.post("/links", status_code=201)
def new_link(request: Request, body: LinkIn, caller: CallingDevice, session: DatabaseSession, now: Now) -> NewLinkOut:
    """A read-only link to the one-page report, for at most a week."""
    return service.new_link(session, caller, body, address=request.app.state.settings.address, now=now)


@router.post("/links/{link_id}/end")
def end_link(link_id: UUID, caller: CallingDevice, session: DatabaseSession, now: Now) -> LinksOut:
    """Take a link back; the answer lists those that still open."""
    service.revoke_link(session, caller, link_id, now=now)
    session.flush()
    return LinksOut(links=service.open_links(session, caller.patient_id, now=now))


@router.post("/carer-codes", status_code=201)
def carer_code(request: Request, caller: CallingDevice, session: DatabaseSession, now: Now) -> CarerCodeOut:
    """A one-time code for a carer's phone, which may write into the diary and not correct or delete."""
    return service.carer_code(session, caller, address=request.app.state.settings.address, now=now)


@router.get("/phones")
def phones(caller: CallingDevice, session: DatabaseSession) -> PhonesOut:
    return PhonesOut(phones=service.phones(session, caller))


@router.post("/phones/{device_id}/removal")
def remove_carer(device_id: UUID, caller: CallingDevice, session: DatabaseSession, now: Now) -> PhonesOut:
    """Shut a carer's phone out; the answer lists those that remain."""
    service.remove_carer(session, caller, device_id, now=now)
    session.flush()
    return PhonesOut(phones=service.phones(session, caller))
