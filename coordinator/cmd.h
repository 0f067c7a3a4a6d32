/* The commands of `plateau`. argv[0] is the command's own word; each returns the exit status. */
#pragma once

int cmd_report(int argc, char **argv);
