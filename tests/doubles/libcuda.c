/* The part of the CUDA driver library that says which device there is. Signatures as in cuda.h. */
#include <string.h>

int fake_init_code, fake_devices = 1;

int cuInit(unsigned flags) { return flags ? 1 : fake_init_code; }
int cuGetErrorString(int code, const char **text) {
    if (code != 100) return 1;
    *text = "no CUDA-capable device is detected";
    return 0;
}
int cuDeviceGetCount(int *count) { *count = fake_devices; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = 7; return ordinal; }
int cuDeviceGetName(char *name, int length, int device) {
    if (device != 7 || length < 16) return 1;
    strcpy(name, "NVIDIA Tegra X1");
    return 0;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    if (device != 7 || (attribute != 75 && attribute != 76)) return 1;
    *value = attribute == 75 ? 5 : 3;
    return 0;
}
int cuDeviceTotalMem_v2(unsigned long *bytes, int device) {
    *bytes = 4156784640ul;
    return device != 7;
}
