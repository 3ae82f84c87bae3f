"""`kserve.protocol.rest.openai.errors`."""

from http import HTTPStatus

from fairlead.runtimes.kserve_shim.protocol.rest.openai.types import Error, ErrorResponse


class OpenAIError(Exception):
    """A refusal in the middle of something."""

    def __init__(self, response: str | ErrorResponse) -> None:
        super().__init__(response if isinstance(response, str) else response.error.message)
        self.response = response


def create_error_response(
    message: str,
    err_type: str = "BadRequestError",
    status_code: HTTPStatus = HTTPStatus.BAD_REQUEST,
    param: str = "",
) -> ErrorResponse:
    """A refusal to return."""
    return ErrorResponse(error=Error(message=message, type=err_type, param=param, code=str(int(status_code))))
