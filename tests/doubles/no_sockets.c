/* Preloaded into a process, it says on standard error that a socket was asked for, and refuses. */
#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

static int refuse(const char *what, size_t length) {
    ssize_t ignored = write(2, what, length);
    (void)ignored;
    errno = EACCES;
    return -1;
}

int socket(int domain, int type, int protocol) {
    /* Within a machine is fine: loggers and event loops use those. */
    return domain == AF_INET || domain == AF_INET6 ? refuse("SOCKET ASKED FOR\n", 17)
                                                   : refuse("", 0);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
    refuse("NAME ASKED FOR\n", 15);
    return EAI_FAIL;
}
