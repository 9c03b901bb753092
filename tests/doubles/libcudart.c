/* A CUDA runtime library whose device memory is the host's. It counts what is alive and refuses
 * what the real one would. With -DOLD it has the functions of CUDA 10.2, else those of 11.4 on.
 * Signatures are those of cuda_runtime_api.h. */
#include <stdlib.h>
#include <string.h>

int fake_alive, fake_launches, fake_last_error_calls, fake_capturing, fake_init_code;
size_t fake_asked;

static int bad(void) { return 1; }

const char *cudaGetErrorString(int code) {
    return code == 2 ? "out of memory" : code == 35 ? "driver too old" : "invalid argument";
}
int cudaGetLastError(void) { fake_last_error_calls++; return 0; }
int cudaSetDevice(int device) { return device ? bad() : fake_init_code; }
int cudaMemGetInfo(size_t *free_bytes, size_t *total) {
    *free_bytes = (size_t)5 << 30;
    *total = (size_t)8 << 30;
    return 0;
}
int cudaMalloc(void **pointer, size_t size) {
    fake_asked = size;
    if (size > (size_t)1 << 32) return 2;
    *pointer = malloc(size);
    fake_alive++;
    return 0;
}
int cudaFree(void *pointer) { free(pointer); fake_alive--; return 0; }
int cudaHostAlloc(void **pointer, size_t size, unsigned flags) {
    if (flags) return bad();
    *pointer = malloc(size);
    fake_alive++;
    return 0;
}
int cudaFreeHost(void *pointer) { return cudaFree(pointer); }
int cudaStreamCreateWithFlags(void **stream, unsigned flags) {
    if (flags != 1) return bad();
    *stream = malloc(1);
    fake_alive++;
    return 0;
}
int cudaStreamDestroy(void *stream) { return cudaFree(stream); }
int cudaStreamSynchronize(void *stream) { return stream && !fake_capturing ? 0 : bad(); }
int cudaMemcpyAsync(void *to, const void *from, size_t size, int kind, void *stream) {
    if (!stream || (kind != 1 && kind != 2)) return bad();
    memcpy(to, from, size);
    return 0;
}
int cudaStreamBeginCapture(void *stream, int mode) {
    if (!stream || mode != 1 || fake_capturing) return bad();
    fake_capturing = 1;
    return 0;
}
int cudaStreamEndCapture(void *stream, void **graph) {
    if (!stream || !fake_capturing) return bad();
    fake_capturing = 0;
    *graph = malloc(1);
    fake_alive++;
    return 0;
}
int cudaGraphDestroy(void *graph) { return cudaFree(graph); }
#ifdef OLD
int cudaGraphInstantiate(void **run, void *graph, void **node, char *log, size_t log_size) {
    if (!graph || node || log || log_size) return bad();
#else
int cudaGraphInstantiateWithFlags(void **run, void *graph, unsigned long long flags) {
    if (!graph || flags) return bad();
#endif
    *run = malloc(1);
    fake_alive++;
    return 0;
}
int cudaGraphLaunch(void *run, void *stream) {
    if (!run || !stream) return bad();
    fake_launches++;
    return 0;
}
int cudaGraphExecDestroy(void *run) { return cudaFree(run); }
