#include "tests/fuzz/http_seeds.h"

namespace resnetd::fuzz {

std::vector<HttpSeed> HttpSeeds() {
  using enum HttpOutcome;
  return {
      {{"kubelet",
        "GET /livez HTTP/1.1\r\nHost: 10.0.0.1:8501\r\nUser-Agent: kube-probe/1.28\r\nAccept: */*\r\nConnection: "
        "close\r\n\r\n"},
       kAnswered},
      {{"prometheus",
        "GET /metrics HTTP/1.1\r\nHost: localhost:8501\r\nUser-Agent: Prometheus/2.42.0\r\nAccept: "
        "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\nAccept-Encoding: "
        "gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n"},
       kAnswered},
      {{"pipelined", "GET / HTTP/1.1\r\n\r\nHEAD /readyz HTTP/1.1\r\n\r\nGET /nothing HTTP/1.1\r\n\r\n"}, kAnswered},
      {{"http10", "GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /livez HTTP/1.0\r\n\r\n"}, kAnswered},
      {{"range", "GET /metrics HTTP/1.1\r\nRange: bytes=0-,0-,0-,-1\r\n\r\n"}, kAnswered},
      {{"absolute", "GET http://host:1/metrics?a=b HTTP/1.1\r\n\r\n"}, kAnswered},
      {{"post", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"}, kAnswered},
      {{"lengths", "GET / HTTP/1.1\r\nContent-Length: 1, 1\r\nContent-Length: 1\r\n\r\nx"}, kAnswered},
      {{"chunked",
        "PUT /metrics HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n00\r\nA: b\r\n\r\n"},
       kAnswered},
      {{"continue", "GET / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx"}, kAnswered},
      {{"upgrade", "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"}, kAnswered},
      {{"fold", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\td\r\n\r\n"}, kAnswered},
      {{"empty_lines", "\r\n\r\nGET / HTTP/1.1\r\n\r\n\r\n\r\n"}, kAnswered},
      {{"half", "GET / HTTP/1.1\r\nHost"}, kUnanswered},
      {{"half_body", "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc"}, kUnanswered},
      {{"http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}, kRefused},
      {{"tls", "\x16\x03\x01\x02\x01"}, kRefused},
      {{"line_feeds", "GET / HTTP/1.1\nHost: a\n\n"}, kRefused},
      {{"no_length", "GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"}, kRefused},
      {{"two_lengths", "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"}, kRefused},
      {{"large", "GET / HTTP/1.1\r\nContent-Length: 4294967296\r\n\r\n"}, kRefused},
  };
}

}  // namespace resnetd::fuzz
