#include "shaping.h"

/* Also the last example of shaping.cf(5). */
const char shaping_builtin[] =
    ("[default]\n"
     "reply = /too (many|much) (concurrent |simultaneous )?"
     "(connections|sessions)/ connect slow few-connections\n"
     "reply = /(^|[^0-9.])4\\.7\\.28([^0-9]|$)/ slow gentle\n"
     "reply = /(throttl|rate.?limit|too (fast|frequent)|"
     "(messages|mails) per (minute|hour|day))/ slow gentle\n"
     "[backoff few-connections]\n"
     "connections = 2\n"
     "leave_after = 10m\n"
     "[backoff gentle]\n"
     "connections = 2\n"
     "messages = 60/1m\n"
     "leave_after = 30m\n");
