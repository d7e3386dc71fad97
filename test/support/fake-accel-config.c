/*
 * A libaccel-config for tests: one device iax1 with WQs wq1.0 and wq1.1 and an engine. A thing is enabled when a file
 * of its name is in the directory that FAKE_ACCEL_CONFIG names; `refuse-NAME` there makes a change of it fail.
 * -DWITHOUT_ERRORS leaves out what came after the first release, -DWITHOUT_ENGINES what every release has.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ctx {
  unsigned int last_error;
  void (*log)(struct ctx *, int, const char *, int, const char *, const char *, va_list);
};
struct thing {
  const char *name;
  struct thing *next;
  struct thing *first;
  struct ctx *of;
};

static struct ctx context;
static struct thing engine = {"engine1.0", NULL, NULL, NULL};
static struct thing wqs[] = {{"wq1.0", &wqs[1], NULL, &context}, {"wq1.1", NULL, NULL, &context}};
static struct thing devices[] = {{"dsa0", &devices[1], NULL, &context}, {"iax1", NULL, wqs, &context}};

static int open_contexts;

static bool is_there(const char *prefix, const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s%s", getenv("FAKE_ACCEL_CONFIG"), prefix, name);
  return access(path, F_OK) == 0;
}

static void say(struct ctx *ctx, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  if (ctx->log) {
    ctx->log(ctx, 3, "libaccfg.c", 1, "fake", format, arguments);
  } else {
    vfprintf(stderr, format, arguments);
  }
  va_end(arguments);
}

static int change(struct thing *thing, bool enable) {
  char path[512];
  if (is_there("refuse-", thing->name)) {
    thing->of->last_error = 0x800d0000;
    say(thing->of, "%s: no wqs configured\n", thing->name);
    return -ENXIO;
  }
  snprintf(path, sizeof path, "%s/%s", getenv("FAKE_ACCEL_CONFIG"), thing->name);
  if (!enable) return unlink(path) == 0 ? 0 : -errno;
  int fd = open(path, O_WRONLY | O_CREAT, 0600);
  return fd < 0 ? -errno : close(fd);
}

int accfg_new(struct ctx **ctx) {
  if (getenv("FAKE_NO_CONTEXT")) return -ENOENT;
  if (open_contexts++ > 0) abort();
  memset(&context, 0, sizeof context);
  *ctx = &context;
  return 0;
}
struct ctx *accfg_unref(struct ctx *ctx) {
  (void)ctx;
  open_contexts--;
  return NULL;
}
struct thing *accfg_device_get_first(struct ctx *ctx) { (void)ctx; return devices; }
struct thing *accfg_device_get_next(struct thing *device) { return device->next; }
const char *accfg_device_get_devname(struct thing *device) { return device->name; }
int accfg_device_get_state(struct thing *device) {
  return is_there("unknown-", device->name) ? -1 : is_there("", device->name);
}
int accfg_device_enable(struct thing *device) { return change(device, true); }
int accfg_device_disable(struct thing *device, bool force) { return force ? -EPERM : change(device, false); }
struct thing *accfg_wq_get_first(struct thing *device) { return device->first; }
struct thing *accfg_wq_get_next(struct thing *wq) { return wq->next; }
const char *accfg_wq_get_devname(struct thing *wq) { return wq->name; }
int accfg_wq_get_state(struct thing *wq) { return is_there("", wq->name); }
int accfg_wq_enable(struct thing *wq) { return change(wq, true); }
int accfg_wq_disable(struct thing *wq, bool force) { return force ? -EPERM : change(wq, false); }
struct thing *accfg_engine_get_first(struct thing *device) { return device->first ? &engine : NULL; }
struct thing *accfg_engine_get_next(struct thing *one) { return one->next; }
#ifndef WITHOUT_ENGINES
const char *accfg_engine_get_devname(struct thing *one) { return one->name; }
#endif
#ifndef WITHOUT_ERRORS
unsigned int accfg_device_get_cmd_status(struct thing *device) { return device->of->last_error; }
const char *accfg_device_get_cmd_status_str(struct thing *device) { (void)device; return "command status text"; }
unsigned int accfg_ctx_get_last_error(struct ctx *ctx) { return ctx->last_error; }
const char *accfg_ctx_get_last_error_str(struct ctx *ctx) { (void)ctx; return "last error text"; }
void accfg_set_log_fn(struct ctx *ctx,
                      void (*log)(struct ctx *, int, const char *, int, const char *, const char *, va_list)) {
  ctx->log = log;
}
#endif
