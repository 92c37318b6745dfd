"""Facts about codes, tokens and sign-in that the caller can act on."""

from backend.core.errors import SoomError


class EnrolmentCodeUnknown(SoomError):
    status = 404
    code = "enrolment_code_unknown"
    message = "This code is not known. Check each letter, or ask your clinic for a new one."


class EnrolmentCodeUsed(SoomError):
    status = 410
    code = "enrolment_code_used"
    message = "This code was used already. Ask your clinic for a new one."


class EnrolmentCodeExpired(SoomError):
    status = 410
    code = "enrolment_code_expired"
    message = "This code has expired. Ask your clinic for a new one."


class AccessTokenInvalid(SoomError):
    status = 401
    code = "access_token_invalid"
    message = "The access token is missing or not valid."


class AccessTokenExpired(SoomError):
    status = 401
    code = "access_token_expired"
    message = "The access token has expired; exchange the refresh token for a new one."


class RefreshTokenUnknown(SoomError):
    status = 401
    code = "refresh_token_unknown"
    message = "The refresh token is not known. Enrol this phone again."


class RefreshTokenExpired(SoomError):
    status = 401
    code = "refresh_token_expired"
    message = "This phone has not been in touch for too long. Enrol it again."


class RefreshTokenReused(SoomError):
    status = 401
    code = "refresh_token_reused"
    message = "This refresh token was used before; for safety the phone must be enrolled again."


class SignInFailed(SoomError):
    status = 401
    code = "sign_in_failed"
    message = "E-mail address or password is not right."


class CsrfTokenInvalid(SoomError):
    status = 403
    code = "csrf_token_invalid"
    message = "This page is out of date. Reload it and try again."


class PasswordNotConfirmed(SoomError):
    status = 403
    code = "password_not_confirmed"
    message = "The password is not right. Nothing was signed."
