import { useEffect, useReducer, useState } from "react";
import type { Phone } from "./phone";

/** Draw again whenever the phone changes. */
export function usePhone(phone: Phone): Phone {
  const [, changed] = useReducer((count: number) => count + 1, 0);
  useEffect(() => phone.listen(changed), [phone]);
  return phone;
}

export interface Devices {
  microphones: MediaDeviceInfo[];
  speakers: MediaDeviceInfo[];
}

/** The microphones and speakers there are; the list follows what is plugged in and out. */
export function useDevices(): Devices {
  const [devices, setDevices] = useState<Devices>({ microphones: [], speakers: [] });
  useEffect(() => {
    const media = navigator.mediaDevices;
    if (!media) return;
    const look = async (): Promise<void> => {
      const all = await media.enumerateDevices();
      setDevices({
        microphones: all.filter((each) => each.kind === "audioinput"),
        speakers: all.filter((each) => each.kind === "audiooutput"),
      });
    };
    void look();
    media.addEventListener("devicechange", look);
    return () => media.removeEventListener("devicechange", look);
  }, []);
  return devices;
}
