// Classifies an image file: node build/classify.js ADDRESS FILE
import { readFileSync } from "node:fs";

import { credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";

import { BadRequest, ErrorInfo } from "./gen/google/rpc/error_details";
import { Status } from "./gen/google/rpc/status";
import { ClassifyRequest, type ClassifyResponse, InferenceServiceClient } from "./gen/resnetd/v1/inference";

function classify(client: InferenceServiceClient, photo: Buffer): Promise<ClassifyResponse> {
  const request = ClassifyRequest.fromPartial({ images: [{ encoded: photo }], options: { topK: 3 } });
  const deadline = Date.now() + 10_000;
  return new Promise((resolve, reject) => {
    client.classify(request, new Metadata(), { deadline }, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

/** Writes what went wrong, with the reason that a program can match and the fields at fault. */
function explain(error: ServiceError): void {
  console.error(`${status[error.code]}: ${error.details}`);
  for (const bytes of error.metadata.get("grpc-status-details-bin")) {
    for (const detail of Status.decode(bytes as Buffer).details) {
      if (detail.typeUrl.endsWith("/google.rpc.ErrorInfo")) {
        console.error(`reason: ${ErrorInfo.decode(detail.value).reason}`);
      } else if (detail.typeUrl.endsWith("/google.rpc.BadRequest")) {
        for (const violation of BadRequest.decode(detail.value).fieldViolations) {
          console.error(`field: ${violation.field}`);
        }
      }
    }
  }
}

async function main(address: string, file: string): Promise<void> {
  const photo = readFileSync(file);
  const client = new InferenceServiceClient(address, credentials.createInsecure());
  try {
    for (const { score, label } of (await classify(client, photo)).results[0].classes) {
      console.log(`${(score * 100).toFixed(1).padStart(5)}%  ${label}`);
    }
  } catch (error) {
    explain(error as ServiceError);
    process.exitCode = 1;
  } finally {
    client.close();
  }
}

if (process.argv.length === 4) {
  void main(process.argv[2], process.argv[3]);
} else {
  console.error("usage: classify.js ADDRESS FILE");
  process.exitCode = 2;
}
