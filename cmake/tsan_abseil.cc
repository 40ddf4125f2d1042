// Debian's Abseil is not compiled for the thread sanitizer, which therefore sees none of its locks
// and calls everything under them a race.  Linked with --wrap (LtmlToolchain.cmake), these tell it.
#include <sanitizer/tsan_interface.h>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

// Debian 12's names of Abseil's functions.
#define LTML_REAL(name) __real__ZN4absl7debian3##name
#define LTML_WRAP(name) __wrap__ZN4absl7debian3##name
#define LTML_CONST_REAL(name) __real__ZNK4absl7debian3##name
#define LTML_CONST_WRAP(name) __wrap__ZNK4absl7debian3##name

extern "C" {

void LTML_REAL(5Mutex4LockEv)(absl::Mutex* mutex);
void LTML_REAL(5Mutex6UnlockEv)(absl::Mutex* mutex);
void LTML_REAL(5Mutex5AwaitERKNS0_9ConditionE)(absl::Mutex* mutex, const absl::Condition& until);
bool LTML_REAL(5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE)(
    absl::Mutex* mutex, const absl::Condition& until, absl::Duration timeout);
void LTML_REAL(5MutexD1Ev)(absl::Mutex* mutex);
void LTML_REAL(12Notification6NotifyEv)(absl::Notification* notification);
void LTML_CONST_REAL(12Notification19WaitForNotificationEv)(const absl::Notification* notification);
bool LTML_CONST_REAL(12Notification30WaitForNotificationWithTimeoutENS0_8DurationE)(
    const absl::Notification* notification, absl::Duration timeout);

}  // extern "C"

// The count of a Status's owners is in Abseil too.
extern "C" const char* __tsan_default_suppressions() { return "race:libabsl_status.so\n"; }

// From a `pre` to its `post` nothing is recorded: Abseil evaluates conditions of other threads
// there.
extern "C" {

void LTML_WRAP(5Mutex4LockEv)(absl::Mutex* mutex) {
  __tsan_mutex_pre_lock(mutex, 0);
  LTML_REAL(5Mutex4LockEv)(mutex);
  __tsan_mutex_post_lock(mutex, 0, 0);
}

void LTML_WRAP(5Mutex6UnlockEv)(absl::Mutex* mutex) {
  __tsan_mutex_pre_unlock(mutex, 0);
  LTML_REAL(5Mutex6UnlockEv)(mutex);
  __tsan_mutex_post_unlock(mutex, 0);
}

void LTML_WRAP(5Mutex5AwaitERKNS0_9ConditionE)(absl::Mutex* mutex, const absl::Condition& until) {
  __tsan_mutex_pre_unlock(mutex, 0);
  __tsan_mutex_post_unlock(mutex, 0);
  __tsan_mutex_pre_lock(mutex, 0);
  LTML_REAL(5Mutex5AwaitERKNS0_9ConditionE)(mutex, until);
  __tsan_mutex_post_lock(mutex, 0, 0);
}

bool LTML_WRAP(5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE)(
    absl::Mutex* mutex, const absl::Condition& until, absl::Duration timeout) {
  __tsan_mutex_pre_unlock(mutex, 0);
  __tsan_mutex_post_unlock(mutex, 0);
  __tsan_mutex_pre_lock(mutex, 0);
  const bool met =
      LTML_REAL(5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE)(mutex, until, timeout);
  __tsan_mutex_post_lock(mutex, 0, 0);
  return met;
}

void LTML_WRAP(5MutexD1Ev)(absl::Mutex* mutex) {
  LTML_REAL(5MutexD1Ev)(mutex);
  __tsan_mutex_destroy(mutex, 0);
}

void LTML_WRAP(12Notification6NotifyEv)(absl::Notification* notification) {
  __tsan_release(notification);
  LTML_REAL(12Notification6NotifyEv)(notification);
}

void LTML_CONST_WRAP(12Notification19WaitForNotificationEv)(
    const absl::Notification* notification) {
  LTML_CONST_REAL(12Notification19WaitForNotificationEv)(notification);
  __tsan_acquire(const_cast<absl::Notification*>(notification));
}

bool LTML_CONST_WRAP(12Notification30WaitForNotificationWithTimeoutENS0_8DurationE)(
    const absl::Notification* notification, absl::Duration timeout) {
  const bool notified = LTML_CONST_REAL(
      12Notification30WaitForNotificationWithTimeoutENS0_8DurationE)(notification, timeout);
  if (notified) __tsan_acquire(const_cast<absl::Notification*>(notification));
  return notified;
}

}  // extern "C"
