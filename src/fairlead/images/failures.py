"""What goes wrong while an image is made, as people, statuses and retries see it."""

from fairlead.errors import GrpcCode, Permanent


class BuildFailed(Permanent):
    """A step of the build failed, or the builder refused the order; the message says which step, and what it said."""

    http, grpc, reason = 422, GrpcCode.FAILED_PRECONDITION, "ImageBuildFailed"


class PushFailed(Permanent):
    """The image is made, and its registry does not take it."""

    http, grpc, reason = 502, GrpcCode.FAILED_PRECONDITION, "ImagePushFailed"


class NoBuilder(Permanent):
    """Nothing here can make images; the message says what could."""

    http, grpc, reason = 500, GrpcCode.FAILED_PRECONDITION, "NoImageBuilder"


class BuildTimedOut(Permanent):
    """The builder was ended because it took longer than it may."""

    http, grpc, reason = 504, GrpcCode.DEADLINE_EXCEEDED, "Timeout"
