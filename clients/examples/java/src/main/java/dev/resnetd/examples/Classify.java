package dev.resnetd.examples;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import dev.resnetd.v1.ClassifyOptions;
import dev.resnetd.v1.ClassifyRequest;
import dev.resnetd.v1.ClassifyResponse;
import dev.resnetd.v1.Image;
import dev.resnetd.v1.InferenceServiceGrpc;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** Classifies an image file: Classify ADDRESS FILE. */
public final class Classify {
  public static void main(String[] args) throws IOException {
    if (args.length != 2) {
      System.err.println("usage: Classify ADDRESS FILE");
      System.exit(2);
    }
    ByteString photo = ByteString.copyFrom(Files.readAllBytes(Path.of(args[1])));
    ManagedChannel channel = Grpc.newChannelBuilder(args[0], InsecureChannelCredentials.create()).build();
    try {
      classify(channel, photo);
    } catch (StatusRuntimeException e) {
      explain(e);
      System.exit(1);
    } finally {
      channel.shutdownNow();
    }
  }

  private static void classify(ManagedChannel channel, ByteString photo) {
    ClassifyRequest request =
        ClassifyRequest.newBuilder()
            .addImages(Image.newBuilder().setEncoded(photo))
            .setOptions(ClassifyOptions.newBuilder().setTopK(3))
            .build();
    ClassifyResponse answer =
        InferenceServiceGrpc.newBlockingStub(channel).withDeadlineAfter(10, TimeUnit.SECONDS).classify(request);
    answer
        .getResults(0)
        .getClassesList()
        .forEach(c -> System.out.printf("%5.1f%%  %s%n", c.getScore() * 100, c.getLabel()));
  }

  /** Writes what went wrong, with the reason that a program can match and the fields at fault. */
  private static void explain(StatusRuntimeException e) throws InvalidProtocolBufferException {
    System.err.println(e.getStatus());
    for (Any detail : StatusProto.fromThrowable(e).getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        System.err.println("reason: " + detail.unpack(ErrorInfo.class).getReason());
      } else if (detail.is(BadRequest.class)) {
        detail
            .unpack(BadRequest.class)
            .getFieldViolationsList()
            .forEach(violation -> System.err.println("field: " + violation.getField()));
      }
    }
  }
}
