/* What a process does so that its secrets stay in it: no core files, no reading of its memory by other processes of the
 * same user. Builds with a sanitizer keep the second open, since their leak checker needs it. */
#pragma once

void harden_process(void);
