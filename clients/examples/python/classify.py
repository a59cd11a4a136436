"""Classifies an image file: classify.py ADDRESS FILE"""

import sys

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from resnetd.v1 import inference_pb2, inference_pb2_grpc


def classify(address: str, photo: bytes) -> None:
    request = inference_pb2.ClassifyRequest(images=[{"encoded": photo}], options={"top_k": 3})
    with grpc.insecure_channel(address) as channel:
        answer = inference_pb2_grpc.InferenceServiceStub(channel).Classify(request, timeout=10)
    for c in answer.results[0].classes:
        print(f"{c.score:6.1%}  {c.label}")


def explain(error: grpc.RpcError) -> None:
    """Writes what went wrong, with the reason that a program can match and the fields at fault."""
    print(f"{error.code().name}: {error.details()}", file=sys.stderr)
    # A call that never reached a resnetd has no status of its own.
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            print(f"reason: {info.reason}", file=sys.stderr)
        elif detail.Unpack(request):
            for violation in request.field_violations:
                print(f"field: {violation.field}", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[2], "rb") as file:
        content = file.read()
    try:
        classify(sys.argv[1], content)
    except grpc.RpcError as error:
        explain(error)
        sys.exit(1)
