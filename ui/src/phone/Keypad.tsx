import { type ReactElement, useEffect } from "react";
import { Button } from "../design/components";
import "./keypad.css";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];

/** Twelve keys; those of the keyboard press them too. */
export function Keypad({ onPress }: { onPress: (key: string) => void }): ReactElement {
  useEffect(() => {
    const typed = (event: KeyboardEvent): void => {
      const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea");
      if (!typing && KEYS.includes(event.key)) onPress(event.key);
    };
    window.addEventListener("keydown", typed);
    return () => window.removeEventListener("keydown", typed);
  }, [onPress]);
  return (
    <div className="keypad">
      {KEYS.map((key) => (
        <Button key={key} onPress={() => onPress(key)}>
          {key}
        </Button>
      ))}
    </div>
  );
}
