// Shows the times in the zone of the device, where the person has not chosen another one.
const zones = document.querySelector("select[name=zone]");
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;

if (zones.value !== here && [...zones.options].some((option) => option.value === here)) {
  location.replace(`?zone=${encodeURIComponent(here)}`);
}
