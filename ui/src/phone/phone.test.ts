import { describe, expect, it } from "vitest";
import { dialled, only } from "./phone";

const OFFER = [
  "v=0",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 110 126",
  "a=rtpmap:111 opus/48000/2",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:8 PCMA/8000",
  "a=rtpmap:110 telephone-event/48000",
  "a=rtpmap:126 telephone-event/8000",
  "",
].join("\r\n");

describe("one codec alone", () => {
  it.each([
    ["opus", "111 110"],
    ["pcmu", "0 126"],
  ])("%s is offered with the keys of its clock", (codec, formats) => {
    expect(only(OFFER, codec)).toContain(`m=audio 9 UDP/TLS/RTP/SAVPF ${formats}\r\n`);
  });
});

describe("a typed number", () => {
  it.each([
    ["0912 345 678", "0912345678"],
    ["+84 (912) 345-678", "+84912345678"],
    ["12", ""],
    ["my number", ""],
    ["", ""],
  ])("%s is dialled as %s", (typed, number) => {
    expect(dialled(typed)).toBe(number);
  });
});
