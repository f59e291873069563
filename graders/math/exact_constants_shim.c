#include "graders/math/exact_constants_shim.h"

#include <stdlib.h>
#include <string.h>

#ifdef __has_include
#if __has_include(<flint/ca.h>)
#include <flint/ca.h>
#else
#include <calcium/ca.h>
#endif
#endif

enum { kMaxStack = 256 };

struct r1eval_constants {
  ca_ctx_t context;
  ca_struct stack[kMaxStack];
  int size;
};

r1eval_constants* r1eval_constants_new(void) {
  r1eval_constants* machine = malloc(sizeof(r1eval_constants));
  if (machine == NULL) {
    return NULL;
  }
  ca_ctx_init(machine->context);
  /* Without these, one short text can ask for a number field of any degree, or for a Groebner
   * basis. */
  machine->context->options[CA_OPT_PREC_LIMIT] = 512;
  machine->context->options[CA_OPT_QQBAR_DEG_LIMIT] = 40;
  machine->context->options[CA_OPT_SMOOTH_LIMIT] = 32;
  machine->context->options[CA_OPT_LLL_PREC] = 128;
  machine->context->options[CA_OPT_POW_LIMIT] = 20;
  machine->context->options[CA_OPT_VIETA_LIMIT] = 6;
  machine->context->options[CA_OPT_GROEBNER_LENGTH_LIMIT] = 50;
  machine->context->options[CA_OPT_GROEBNER_POLY_LENGTH_LIMIT] = 200;
  machine->context->options[CA_OPT_GROEBNER_POLY_BITS_LIMIT] = 2000;
  machine->size = 0;
  return machine;
}

void r1eval_constants_free(r1eval_constants* machine) {
  if (machine == NULL) {
    return;
  }
  for (int k = 0; k < machine->size; ++k) {
    ca_clear(&machine->stack[k], machine->context);
  }
  ca_ctx_clear(machine->context);
  free(machine);
}

static ca_struct* push(r1eval_constants* machine) {
  if (machine->size >= kMaxStack) {
    return NULL;
  }
  ca_struct* top = &machine->stack[machine->size++];
  ca_init(top, machine->context);
  return top;
}

/* Undefined, infinite or unknown values end the work. */
static int is_number(r1eval_constants* machine) {
  return machine->size > 0 && !CA_IS_SPECIAL(&machine->stack[machine->size - 1]);
}

int r1eval_constants_push_rational(r1eval_constants* machine, const char* num, const char* den) {
  ca_struct* top = push(machine);
  if (top == NULL) {
    return 0;
  }
  fmpq_t value;
  fmpq_init(value);
  const int read = fmpz_set_str(fmpq_numref(value), num, 10) == 0 &&
                   fmpz_set_str(fmpq_denref(value), den, 10) == 0 &&
                   !fmpz_is_zero(fmpq_denref(value));
  if (read) {
    fmpq_canonicalise(value);
    ca_set_fmpq(top, value, machine->context);
  }
  fmpq_clear(value);
  return read;
}

int r1eval_constants_push_named(r1eval_constants* machine, const char* name) {
  ca_struct* top = push(machine);
  if (top == NULL) {
    return 0;
  }
  if (strcmp(name, "pi") == 0) {
    ca_pi(top, machine->context);
  } else if (strcmp(name, "i") == 0) {
    ca_i(top, machine->context);
  } else if (strcmp(name, "e") == 0) {
    ca_one(top, machine->context);
    ca_exp(top, top, machine->context);
  } else {
    return 0;
  }
  return 1;
}

int r1eval_constants_apply(r1eval_constants* machine, const char* operation) {
  static const struct {
    const char* name;
    void (*apply)(ca_t, const ca_t, const ca_t, ca_ctx_t);
  } kTwo[] = {{"add", ca_add}, {"sub", ca_sub}, {"mul", ca_mul}, {"div", ca_div}, {"pow", ca_pow}};

  static const struct {
    const char* name;
    void (*apply)(ca_t, const ca_t, ca_ctx_t);
  } kOne[] = {{"neg", ca_neg},   {"sqrt", ca_sqrt}, {"exp", ca_exp},
              {"log", ca_log},   {"tan", ca_tan},   {"atan", ca_atan},
              {"asin", ca_asin}, {"acos", ca_acos}, {"abs", ca_abs}};

  ca_struct* top = &machine->stack[machine->size - 1];
  for (size_t k = 0; k < sizeof(kTwo) / sizeof(kTwo[0]); ++k) {
    if (strcmp(operation, kTwo[k].name) == 0) {
      if (machine->size < 2) {
        return 0;
      }
      kTwo[k].apply(top - 1, top - 1, top, machine->context);
      ca_clear(top, machine->context);
      --machine->size;
      return is_number(machine);
    }
  }
  if (machine->size < 1) {
    return 0;
  }
  for (size_t k = 0; k < sizeof(kOne) / sizeof(kOne[0]); ++k) {
    if (strcmp(operation, kOne[k].name) == 0) {
      kOne[k].apply(top, top, machine->context);
      return is_number(machine);
    }
  }
  if (strcmp(operation, "sin") == 0) {
    ca_sin_cos(top, NULL, top, machine->context);
    return is_number(machine);
  }
  if (strcmp(operation, "cos") == 0) {
    ca_sin_cos(NULL, top, top, machine->context);
    return is_number(machine);
  }
  return 0;
}

int r1eval_constants_root(r1eval_constants* machine, long degree) {
  if (machine->size < 1 || degree < 2 || degree > 64) {
    return 0;
  }
  ca_struct* top = &machine->stack[machine->size - 1];
  int negative = 0;
  if (degree % 2 == 1) {
    const truth_t sign = ca_check_is_negative_real(top, machine->context);
    if (sign == T_UNKNOWN) {
      return 0;
    }
    negative = sign == T_TRUE;
  }
  if (negative) {
    ca_neg(top, top, machine->context);
  }
  if (degree == 2) {
    ca_sqrt(top, top, machine->context);
  } else {
    fmpq_t exponent;
    fmpq_init(exponent);
    fmpq_set_si(exponent, 1, (ulong)degree);
    ca_pow_fmpq(top, top, exponent, machine->context);
    fmpq_clear(exponent);
  }
  if (negative) {
    ca_neg(top, top, machine->context);
  }
  return is_number(machine);
}

int r1eval_constants_equal(r1eval_constants* machine) {
  if (machine->size != 2) {
    return -1;
  }
  const truth_t answer = ca_check_equal(&machine->stack[0], &machine->stack[1], machine->context);
  return answer == T_TRUE ? 1 : answer == T_FALSE ? 0 : -1;
}
