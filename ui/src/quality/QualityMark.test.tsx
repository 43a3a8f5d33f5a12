import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import i18n from "../i18n";
import { QualityMark } from "./QualityMark";
import type { CallQuality } from "./quality";

const QUALITY: CallQuality = {
  caller: { from: { mos: 4.41, loss: 0, jitterMs: 2.6 }, to: {}, roundTripMs: 41.5, toldAt: 0 },
  agent: { from: { loss: 0.0125 }, to: { mos: 3.5 }, toldAt: 0 },
};
const lines = (): string[] => screen.getAllByRole("definition").map((each) => each.textContent ?? "");

beforeEach(() => i18n.changeLanguage("en"));
afterEach(cleanup);

describe("the mark", () => {
  it("is a word, with the figures that are known for whom opens it", () => {
    render(<QualityMark quality={QUALITY} />);
    expect(screen.getByText("Call quality").className).toBe("unseen");
    expect(screen.getByText("Poor").closest("summary")).not.toBeNull();
    expect(screen.getAllByRole("term").map((each) => each.textContent)).toEqual([
      "From the caller",
      "From the agent",
      "To the agent",
    ]);
    expect(lines()).toEqual(["MOS 4.4 · lost 0.0 % · jitter 3 ms · round trip 42 ms", "lost 1.3 %", "MOS 3.5"]);
  });

  it("speaks Vietnamese", async () => {
    await i18n.changeLanguage("vi");
    render(<QualityMark titled quality={QUALITY} />);
    expect(screen.getByText("Chất lượng cuộc gọi").className).toBe("label");
    expect(screen.getByText("Kém")).toBeTruthy();
    expect(lines()[0]).toBe("MOS 4,4 · mất 0,0 % · rung 3 ms · khứ hồi 42 ms");
  });

  it.each([[undefined], [{}], [{ caller: { from: { loss: 0 }, to: {}, toldAt: 0 } }]])(
    "is nothing where nothing is known (%j)",
    (quality) => {
      const { container } = render(<QualityMark quality={quality as CallQuality} />);
      expect(container.innerHTML).toBe("");
    },
  );
});
